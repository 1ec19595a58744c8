SET foreign_key_checks = 0;
CREATE TABLE `Comments` (
  `id` int NOT NULL AUTO_INCREMENT,
  `text` text,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `IssueId` int DEFAULT NULL,
  `authorId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `IssueId` (`IssueId`),
  KEY `authorId` (`authorId`),
  CONSTRAINT `Comments_ibfk_1` FOREIGN KEY (`IssueId`) REFERENCES `Issues` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Comments_ibfk_2` FOREIGN KEY (`authorId`) REFERENCES `People` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `Entries` (
  `id` int NOT NULL AUTO_INCREMENT,
  `minutes` int DEFAULT NULL,
  `onDay` date DEFAULT NULL,
  `startedAt` time DEFAULT NULL,
  `note` varchar(255) DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `IssueId` int DEFAULT NULL,
  `PersonId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `IssueId` (`IssueId`),
  KEY `PersonId` (`PersonId`),
  CONSTRAINT `Entries_ibfk_1` FOREIGN KEY (`IssueId`) REFERENCES `Issues` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Entries_ibfk_2` FOREIGN KEY (`PersonId`) REFERENCES `People` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `IssueLabel` (
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `IssueId` int NOT NULL,
  `LabelId` int NOT NULL,
  PRIMARY KEY (`IssueId`,`LabelId`),
  KEY `LabelId` (`LabelId`),
  CONSTRAINT `IssueLabel_ibfk_1` FOREIGN KEY (`IssueId`) REFERENCES `Issues` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `IssueLabel_ibfk_2` FOREIGN KEY (`LabelId`) REFERENCES `Labels` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `Issues` (
  `id` int NOT NULL AUTO_INCREMENT,
  `uid` char(36) COLLATE utf8mb4_bin DEFAULT NULL,
  `number` int DEFAULT NULL,
  `title` varchar(255) DEFAULT NULL,
  `body` text,
  `status` enum('open','progress','review','closed') DEFAULT 'open',
  `priority` int DEFAULT '3',
  `points` decimal(5,1) DEFAULT NULL,
  `dueOn` date DEFAULT NULL,
  `closedAt` datetime DEFAULT NULL,
  `fields` json DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `ProjectId` int DEFAULT NULL,
  `SprintId` int DEFAULT NULL,
  `assigneeId` int DEFAULT NULL,
  `reporterId` int DEFAULT NULL,
  `epicId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ProjectId` (`ProjectId`),
  KEY `SprintId` (`SprintId`),
  KEY `assigneeId` (`assigneeId`),
  KEY `reporterId` (`reporterId`),
  KEY `epicId` (`epicId`),
  KEY `issues_status` (`status`),
  CONSTRAINT `Issues_ibfk_1` FOREIGN KEY (`ProjectId`) REFERENCES `Projects` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Issues_ibfk_2` FOREIGN KEY (`SprintId`) REFERENCES `Sprints` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Issues_ibfk_3` FOREIGN KEY (`assigneeId`) REFERENCES `People` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Issues_ibfk_4` FOREIGN KEY (`reporterId`) REFERENCES `People` (`id`) ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT `Issues_ibfk_5` FOREIGN KEY (`epicId`) REFERENCES `Issues` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `Labels` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) DEFAULT NULL,
  `colour` varchar(7) DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `People` (
  `id` int NOT NULL AUTO_INCREMENT,
  `login` varchar(255) DEFAULT NULL,
  `email` varchar(255) DEFAULT NULL,
  `active` tinyint(1) DEFAULT '1',
  `lastLogin` datetime DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `login` (`login`)
) ENGINE=InnoDB;
CREATE TABLE `Projects` (
  `id` int NOT NULL AUTO_INCREMENT,
  `key` varchar(10) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `archived` tinyint(1) DEFAULT '0',
  `config` json DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `deletedAt` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `key` (`key`)
) ENGINE=InnoDB;
CREATE TABLE `Sprints` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) DEFAULT NULL,
  `startsOn` date DEFAULT NULL,
  `endsOn` date DEFAULT NULL,
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `ProjectId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ProjectId` (`ProjectId`),
  CONSTRAINT `Sprints_ibfk_1` FOREIGN KEY (`ProjectId`) REFERENCES `Projects` (`id`) ON DELETE SET NULL ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `Watches` (
  `muted` tinyint(1) DEFAULT '0',
  `createdAt` datetime NOT NULL,
  `updatedAt` datetime NOT NULL,
  `PersonId` int NOT NULL,
  `IssueId` int NOT NULL,
  PRIMARY KEY (`PersonId`,`IssueId`),
  KEY `IssueId` (`IssueId`),
  CONSTRAINT `Watches_ibfk_1` FOREIGN KEY (`PersonId`) REFERENCES `People` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `Watches_ibfk_2` FOREIGN KEY (`IssueId`) REFERENCES `Issues` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB;
