SET foreign_key_checks = 0;
CREATE TABLE `activity` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `kind` varchar(255) NOT NULL,
  `note` text,
  `at` datetime NOT NULL,
  `done` tinyint(1) NOT NULL DEFAULT '0',
  `contact_id` int unsigned NOT NULL,
  `owner_id` int unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `activity_contact_id_index` (`contact_id`),
  KEY `activity_owner_id_index` (`owner_id`),
  CONSTRAINT `activity_contact_id_foreign` FOREIGN KEY (`contact_id`) REFERENCES `contact` (`id`) ON UPDATE CASCADE,
  CONSTRAINT `activity_owner_id_foreign` FOREIGN KEY (`owner_id`) REFERENCES `owner` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `company` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `domain` varchar(255) DEFAULT NULL,
  `size` int NOT NULL DEFAULT '0',
  `address` json DEFAULT NULL,
  `created_at` datetime NOT NULL,
  `owner_id` int unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `company_owner_id_index` (`owner_id`),
  CONSTRAINT `company_owner_id_foreign` FOREIGN KEY (`owner_id`) REFERENCES `owner` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `company_labels` (
  `company_id` int unsigned NOT NULL,
  `label_id` int unsigned NOT NULL,
  PRIMARY KEY (`company_id`,`label_id`),
  KEY `company_labels_company_id_index` (`company_id`),
  KEY `company_labels_label_id_index` (`label_id`),
  CONSTRAINT `company_labels_company_id_foreign` FOREIGN KEY (`company_id`) REFERENCES `company` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `company_labels_label_id_foreign` FOREIGN KEY (`label_id`) REFERENCES `label` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `contact` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `first` varchar(255) NOT NULL,
  `last` varchar(255) NOT NULL,
  `email` varchar(255) DEFAULT NULL,
  `birthday` date DEFAULT NULL,
  `opt_in` tinyint(1) NOT NULL DEFAULT '0',
  `company_id` int unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `contact_company_id_index` (`company_id`),
  CONSTRAINT `contact_company_id_foreign` FOREIGN KEY (`company_id`) REFERENCES `company` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `deal` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `title` varchar(255) NOT NULL,
  `stage` enum('lead','offer','won','lost') NOT NULL DEFAULT 'lead',
  `amount` decimal(12,2) NOT NULL,
  `chance` int NOT NULL DEFAULT '10',
  `closes_on` date DEFAULT NULL,
  `closed_at` datetime DEFAULT NULL,
  `created_at` datetime NOT NULL,
  `company_id` int unsigned NOT NULL,
  `owner_id` int unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `deal_company_id_index` (`company_id`),
  KEY `deal_owner_id_index` (`owner_id`),
  CONSTRAINT `deal_company_id_foreign` FOREIGN KEY (`company_id`) REFERENCES `company` (`id`) ON UPDATE CASCADE,
  CONSTRAINT `deal_owner_id_foreign` FOREIGN KEY (`owner_id`) REFERENCES `owner` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `label` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `owner` (
  `id` int unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  `quota` decimal(12,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `owner_email_unique` (`email`)
) ENGINE=InnoDB;
