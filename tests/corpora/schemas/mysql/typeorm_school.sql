SET foreign_key_checks = 0;
CREATE TABLE `course` (
  `id` int NOT NULL AUTO_INCREMENT,
  `code` varchar(255) NOT NULL,
  `title` varchar(255) NOT NULL,
  `summary` text,
  `level` enum('basic','middle','high') NOT NULL DEFAULT 'basic',
  `credits` decimal(4,1) NOT NULL DEFAULT '5.0',
  `startsOn` date DEFAULT NULL,
  `published` tinyint NOT NULL DEFAULT '0',
  `meta` json DEFAULT NULL,
  `createdAt` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `deletedAt` datetime(6) DEFAULT NULL,
  `teacherId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `IDX_5cf4963ae12285cda6432d5a3a` (`code`),
  KEY `FK_3e002f760e8099dd5796e5dc93b` (`teacherId`),
  CONSTRAINT `FK_3e002f760e8099dd5796e5dc93b` FOREIGN KEY (`teacherId`) REFERENCES `teacher` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `course_tags_tag` (
  `courseId` int NOT NULL,
  `tagId` int NOT NULL,
  PRIMARY KEY (`courseId`,`tagId`),
  KEY `IDX_2e1274b2f40e354196a48ecd69` (`courseId`),
  KEY `IDX_843133fef3f7894d9779811338` (`tagId`),
  CONSTRAINT `FK_2e1274b2f40e354196a48ecd696` FOREIGN KEY (`courseId`) REFERENCES `course` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `FK_843133fef3f7894d97798113382` FOREIGN KEY (`tagId`) REFERENCES `tag` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB;
CREATE TABLE `enrolment` (
  `id` int NOT NULL AUTO_INCREMENT,
  `role` varchar(255) NOT NULL DEFAULT 'learner',
  `enrolledAt` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `finishedAt` datetime DEFAULT NULL,
  `studentId` int DEFAULT NULL,
  `courseId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `FK_9d5cba77d4c017f299f4e478e0c` (`studentId`),
  KEY `FK_32654bfec59f2a78ee4c2d6c9f1` (`courseId`),
  CONSTRAINT `FK_32654bfec59f2a78ee4c2d6c9f1` FOREIGN KEY (`courseId`) REFERENCES `course` (`id`),
  CONSTRAINT `FK_9d5cba77d4c017f299f4e478e0c` FOREIGN KEY (`studentId`) REFERENCES `student` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `lesson` (
  `id` int NOT NULL AUTO_INCREMENT,
  `title` varchar(255) NOT NULL,
  `position` int NOT NULL,
  `minutes` int NOT NULL DEFAULT '45',
  `weekday` int DEFAULT NULL,
  `begins` time DEFAULT NULL,
  `courseId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `FK_3801ccf9533a8627c1dcb1e33bf` (`courseId`),
  CONSTRAINT `FK_3801ccf9533a8627c1dcb1e33bf` FOREIGN KEY (`courseId`) REFERENCES `course` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `student` (
  `id` int NOT NULL AUTO_INCREMENT,
  `uid` varchar(36) NOT NULL,
  `name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  `born` date DEFAULT NULL,
  `lastSeen` datetime DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `submission` (
  `id` int NOT NULL AUTO_INCREMENT,
  `text` text NOT NULL,
  `mark` decimal(3,1) DEFAULT NULL,
  `sentAt` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `lessonId` int DEFAULT NULL,
  `studentId` int DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `FK_7839f81f67279c9470a893d4b56` (`lessonId`),
  KEY `FK_a174d175dc504dce8df5c217014` (`studentId`),
  CONSTRAINT `FK_7839f81f67279c9470a893d4b56` FOREIGN KEY (`lessonId`) REFERENCES `lesson` (`id`),
  CONSTRAINT `FK_a174d175dc504dce8df5c217014` FOREIGN KEY (`studentId`) REFERENCES `student` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `tag` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `teacher` (
  `id` int NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `email` varchar(255) NOT NULL,
  `office` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `IDX_00634394dce7677d531749ed8e` (`email`)
) ENGINE=InnoDB;
